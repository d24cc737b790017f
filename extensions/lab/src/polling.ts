/** How often to ask. */

export const FIRST_INTERVAL_MS = 1000;
export const LAST_INTERVAL_MS = 15_000;
export const ERROR_INTERVAL_MS = 30_000;
/** Rounds between two looks at the list, while a run in it goes on that is not watched. */
export const LIST_ROUNDS = 5;
/** Rounds without news in which a run is still asked for each second. */
const PATIENCE = 10;
/** How long a page may take after the run's end. */
export const PAGE_ROUNDS = 60;

/**
 * Pause before the next question.
 *
 * Each second while something happens; then, for a run that is silent, ever slower, so that a
 * night's training costs little.
 */
export function nextInterval(idleRounds: number): number {
  const beyond = Math.max(0, idleRounds - PATIENCE);
  return Math.min(FIRST_INTERVAL_MS * 1.25 ** beyond, LAST_INTERVAL_MS);
}
