/** WebAssembly modules by hand, for tests: small enough to read. */

const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
const name = (text: string) => [text.length, ...new TextEncoder().encode(text)]
export const section = (id: number, ...entries: number[][]) => {
  const content = [entries.length, ...entries.flat()]
  return [id, content.length, ...content]
}
export const moduleOf = (...sections: number[][]) => new Uint8Array([...HEAD, ...sections.flat()])
/** An import of a function of that type. */
export const imported = (module: string, field: string, type: number) => [...name(module), ...name(field), 0, type]

const [I32, CALL, CONST, END, LOOP, BR, VOID, GROW, DROP] = [0x7f, 0x10, 0x41, 0x0b, 0x03, 0x0c, 0x40, 0x40, 0x1a]
/** () → i32, (i32) → (), (i32, i32) → (), () → (). */
const TYPES = section(1, [0x60, 0, 1, I32], [0x60, 1, I32, 0], [0x60, 2, I32, I32, 0], [0x60, 0, 0])
const IMPORTS = section(
  2,
  imported('tsunagi', 'input_length', 0),
  imported('tsunagi', 'read_input', 1),
  imported('tsunagi', 'write_output', 2),
)
const body = (...code: number[]) => {
  const content = [0, ...code, END]
  return section(10, [content.length, ...content])
}
const running = (memory: number[], code: number[]) =>
  moduleOf(
    TYPES,
    IMPORTS,
    section(3, [3]),
    section(5, memory),
    section(7, [...name('memory'), 2, 0], [...name('run'), 0, 3]),
    body(...code),
  )

/** Writes what it reads. */
export const ECHO = running([1, 1, 2], [CONST, 0, CALL, 1, CONST, 0, CALL, 0, CALL, 2])
export const ENDLESS = running([1, 1, 2], [LOOP, VOID, BR, 0, END])
/** Asks for 64 KiB more for ever, and has no maximum. */
export const HUNGRY = running([0, 1], [LOOP, VOID, CONST, 1, GROW, 0, DROP, BR, 0, END])
/** Writes a page of its memory for ever. */
export const TALKATIVE = running([1, 1, 2], [LOOP, VOID, CONST, 0, CONST, 0x80, 0x80, 0x04, CALL, 2, BR, 0, END])
/** Reads its input to where it has no memory. */
export const STRAY = running([1, 1, 2], [CONST, 0x7f, CALL, 1])
