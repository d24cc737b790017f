/** What is said of failures that were tried again. */

import type { Attempt } from './models';
import { statusText } from './progress';

/** As in "Attempt 2; the first one: lost: its worker vanished."; empty for a first attempt. */
export function attemptsText(attempts: readonly Attempt[]): string {
  const last = attempts.at(-1);
  if (last === undefined) {
    return '';
  }
  const which = last.number === 1 ? 'the first one' : 'the one before';
  const reason = last.reason ? `: ${last.reason}` : '';
  return `Attempt ${last.number + 1}; ${which}: ${statusText(last.status).toLowerCase()}${reason}`;
}
