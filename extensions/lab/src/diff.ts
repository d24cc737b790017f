/** A unified diff, line by line. */

export type DiffKind = 'added' | 'removed' | 'same' | 'place';

export interface DiffLine {
  kind: DiffKind;
  text: string;
}

/** Read a unified diff; the two lines that name the files are left out. */
export function diffLines(diff: string): DiffLine[] {
  const lines = diff.split('\n');
  if (lines.at(-1) === '') {
    lines.pop();
  }
  const read: DiffLine[] = [];
  let isHeader = true;
  for (const line of lines) {
    if (line.startsWith('@@')) {
      isHeader = false;
      read.push({ kind: 'place', text: line });
    } else if (!isHeader) {
      read.push(diffLine(line));
    }
  }
  return read;
}

function diffLine(line: string): DiffLine {
  const text = line.slice(1);
  switch (line[0]) {
    case '+':
      return { kind: 'added', text };
    case '-':
      return { kind: 'removed', text };
    default:
      return { kind: 'same', text };
  }
}

/** Say how much a diff adds and removes, as in "3 lines added, 1 removed". */
export function diffSummary(lines: readonly DiffLine[]): string {
  const added = lines.filter(line => line.kind === 'added').length;
  const removed = lines.filter(line => line.kind === 'removed').length;
  return `${count(added)} added, ${removed} removed`;
}

function count(lines: number): string {
  return lines === 1 ? '1 line' : `${lines} lines`;
}
