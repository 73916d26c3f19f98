/** The service worker of the pages: what an app's own would do with pushes. */
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

addEventListener('push', (event) => handlePush(event, { title: 'Somebody is waiting for you' }))
addEventListener('notificationclick', (event) => handleNotificationClick(event))
