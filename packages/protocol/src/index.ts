export { TsunagiError } from './errors.ts'
