/** Whether a proposal can be confirmed, and what the button says. */

import type { Finding, Proposal, Role } from './models';

export interface Confirmation {
  label: string;
  isPossible: boolean;
  /** Why it is not possible; empty where it is. */
  reason: string;
}

export interface Circumstances {
  role: Role;
  /** The notebook is no longer what was checked. */
  isStale: boolean;
  /** The name in the field is not the one that was checked. */
  isRenamed: boolean;
}

export function confirmation(proposal: Proposal, now: Circumstances): Confirmation {
  const reason = obstacle(proposal, now);
  return { label: `Promote as ${proposal.reference}`, isPossible: reason === '', reason };
}

function obstacle(proposal: Proposal, now: Circumstances): string {
  if (now.role === 'viewer') {
    return 'Viewers can’t promote.';
  }
  if (now.isStale) {
    return 'The notebook has changed since it was checked.';
  }
  if (now.isRenamed) {
    return 'The name has changed since the notebook was checked.';
  }
  if (proposal.is_blocked) {
    return `Mend ${blocking(proposal.findings)} first.`;
  }
  if (proposal.is_unchanged) {
    return `Nothing has changed since ${proposal.former ?? 'the last version'}.`;
  }
  return '';
}

function blocking(findings: readonly Finding[]): string {
  const count = findings.filter(
    finding => finding.severity === 'blocking' && typeof finding.silenced_because !== 'string'
  ).length;
  return count === 1 ? 'the blocking finding' : `the ${count} blocking findings`;
}
