/** `pnpm load --peers 1000 --rate 5000 --seconds 10`: the last line is the figures. With --restart also a join storm. */
import { parseArgs } from 'node:util'
import { load, MOST_PEERS, MOST_RATE, MOST_SECONDS } from './load.ts'

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '10' },
    restart: { type: 'boolean', default: false },
  },
})

function between(name: 'peers' | 'rate' | 'seconds', least: number, most: number): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value >= least && value <= most) return value
  console.error(`--${name} must be a whole number from ${least} to ${most}.`)
  return process.exit(2)
}

const figures = await load({
  peers: between('peers', 2, MOST_PEERS),
  rate: between('rate', 1, MOST_RATE),
  seconds: between('seconds', 1, MOST_SECONDS),
  restart: values.restart,
  log: console.log,
})
console.log(JSON.stringify(figures))
