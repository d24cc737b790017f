/** The text that a run has put out, as a terminal would show it. */

export const MAX_LOG_LINES = 2000;
const MAX_LINE_CHARACTERS = 4000;

// Colours and cursor movements (ECMA-48 control sequences), and window titles.
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

export interface Log {
  readonly lines: readonly string[];
  /** Whether the last line may go on. */
  readonly isOpen: boolean;
  /** Lines at the beginning that are not kept. */
  readonly dropped: number;
}

export const EMPTY_LOG: Log = { lines: [], isOpen: false, dropped: 0 };

/** Add text; a carriage return writes over its line, as progress bars do. */
export function addText(log: Log, text: string): Log {
  if (text === '') {
    return log;
  }
  const parts = text.replace(ESCAPES, '').replace(/\r\n/g, '\n').split('\n');
  const lines = [...log.lines];
  if (log.isOpen) {
    parts[0] = `${lines.pop() ?? ''}${parts[0] ?? ''}`;
  }
  const isOpen = parts.at(-1) !== '';
  if (!isOpen) {
    parts.pop();
  }
  lines.push(...parts.map(overwritten));
  const excess = Math.max(0, lines.length - MAX_LOG_LINES);
  return { lines: lines.slice(excess), isOpen, dropped: log.dropped + excess };
}

/** Add text that stands on lines of its own. */
export function addLines(log: Log, text: string): Log {
  if (text === '') {
    return log;
  }
  const closed: Log = { ...log, isOpen: false };
  return addText(closed, text.endsWith('\n') ? text : `${text}\n`);
}

function overwritten(line: string): string {
  // A carriage return at the very end waits for what will be written over the line.
  const hasEnd = line.endsWith('\r');
  const written = hasEnd ? line.slice(0, -1) : line;
  const shown = written.slice(written.lastIndexOf('\r') + 1);
  const cut =
    shown.length > MAX_LINE_CHARACTERS ? `${shown.slice(0, MAX_LINE_CHARACTERS)}…` : shown;
  return hasEnd ? `${cut}\r` : cut;
}
