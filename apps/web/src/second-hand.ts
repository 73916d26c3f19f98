import type { ReactiveController, ReactiveControllerHost } from 'lit'

/** Draws its host each second, while that shows something whose time passes. */
export class SecondHand implements ReactiveController {
  readonly #host: ReactiveControllerHost
  #ticking: ReturnType<typeof setInterval> | undefined

  constructor(host: ReactiveControllerHost) {
    this.#host = host
    host.addController(this)
  }

  hostDisconnected(): void {
    this.run(false)
  }

  run(wanted: boolean): void {
    if (wanted) this.#ticking ??= setInterval(() => this.#host.requestUpdate(), 1_000)
    else {
      clearInterval(this.#ticking)
      this.#ticking = undefined
    }
  }
}
