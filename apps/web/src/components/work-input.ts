/** What goes into a task, and what it is about in a few words. */
export interface Work {
  readonly input: unknown
  readonly subject: string
}

/** A part of the form that asks for the input of one capability. */
export interface WorkInput extends HTMLElement {
  /** Rejects with a sentence for the person at the form, and puts the focus where the fault is. */
  read(): Promise<Work>
}
