/** What a worker of this app says to the page that started it. */
export type WorkerReport =
  | { readonly progress: number; readonly note: string }
  | { readonly output: unknown }
  | { readonly failure: string }

/** Answers the one input this worker is given; `work` names the buffers its output gives away. */
export function serve<Input>(
  work: (input: Input, report: (progress: number, note: string) => void) => Promise<[unknown, Transferable[]]>,
): void {
  const say = (report: WorkerReport, transfer: Transferable[] = []) => self.postMessage(report, { transfer })
  self.onmessage = async ({ data }: MessageEvent<Input>) => {
    try {
      const [output, transfer] = await work(data, (progress, note) => say({ progress, note }))
      say({ output }, transfer)
    } catch (error) {
      say({ failure: error instanceof Error ? error.message : String(error) })
    }
  }
}
