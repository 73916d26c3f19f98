/** The bundle for browsers; the plain entry needs Node's globals. */
declare module 'simple-peer/simplepeer.min.js' {
  export { default } from 'simple-peer'
}
