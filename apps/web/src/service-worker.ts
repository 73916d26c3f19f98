/** What this app does while no page of it is open: it takes the pushes that wake a peer of this browser. */
import {
  handleNotificationClick,
  handlePush,
  type NotificationClickEvent,
  type PushEvent,
} from '@tsunagi/protocol/service-worker'

declare global {
  interface WindowEventMap {
    push: PushEvent & Event
    notificationclick: NotificationClickEvent & Event
  }
}

const NOTIFICATION = {
  title: 'Somebody is waiting for you',
  options: { body: 'Open Tsunagi to go on.', icon: 'icon-192.png' },
}

addEventListener('push', (event) => handlePush(event, NOTIFICATION))
addEventListener('notificationclick', (event) => handleNotificationClick(event))
