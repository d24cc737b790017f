/** How long ago something was, in words. */

const STEPS: readonly [number, string][] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min']
];

/** As in "3 min ago"; `now` in milliseconds since 1970. */
export function ageText(moment: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000);
  for (const [length, unit] of STEPS) {
    if (seconds >= length) {
      return `${Math.floor(seconds / length)} ${unit} ago`;
    }
  }
  return 'just now';
}
