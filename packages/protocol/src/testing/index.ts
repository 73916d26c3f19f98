/** What the author of a capability tests it with. */
export { type CapabilityTrial, type TrialOptions, tryCapability } from './capability-trial.ts'
