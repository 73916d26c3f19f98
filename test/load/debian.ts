/** Programs that the tests run beside the server: from the PATH, or from Debian's packages. */
import { spawnSync } from 'node:child_process'

/** @throws Error where it is not there and could not be installed */
export function ensureProgram(program: string, debianPackage: string): void {
  if (isThere(program)) return
  console.log(`No ${program} found: installing Debian's ${debianPackage}.`)
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const aptGet = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get']
  run(...aptGet, 'update')
  run(...aptGet, 'install', '-y', '--no-install-recommends', debianPackage)
  if (!isThere(program)) {
    throw new Error(`The tests need ${program}, and it could not be installed: install it so that it is on the PATH.`)
  }
}

function isThere(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0
}

function run(...[command = '', ...args]: string[]): void {
  spawnSync(command, args, { stdio: 'inherit' })
}
