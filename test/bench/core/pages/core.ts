import { createWebCryptoProvider, loadNobleProvider } from '@tsunagi/protocol/crypto'
import { type Figure, measureCore } from '../core.ts'

declare global {
  interface Window {
    measureCore(provider: 'webcrypto' | 'noble', duration: number): Promise<Figure[]>
  }
}

window.measureCore = async (provider, duration) =>
  measureCore(provider === 'noble' ? await loadNobleProvider() : createWebCryptoProvider(), duration)
