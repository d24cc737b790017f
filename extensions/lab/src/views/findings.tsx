import * as React from 'react';
import type { Finding, Severity } from '../models';
import { Words } from './words';

const GROUPS: readonly { severity: Severity; sign: string; one: string; many: string }[] = [
  { severity: 'blocking', sign: '✕', one: 'blocking finding', many: 'blocking findings' },
  { severity: 'warning', sign: '▲', one: 'warning', many: 'warnings' },
  { severity: 'note', sign: 'i', one: 'note', many: 'notes' }
];

/** What the check has found, by weight; a click shows the cell. */
export function Findings(props: {
  findings: readonly Finding[];
  onChoose: (finding: Finding) => void;
}): React.JSX.Element {
  if (props.findings.length === 0) {
    return (
      <p className="nb2prod-quiet">
        <span className="nb2prod-sign nb2prod-mod-success" aria-hidden="true">
          ✓
        </span>{' '}
        The check found nothing.
      </p>
    );
  }
  return (
    <>
      {GROUPS.map(group => {
        const found = props.findings.filter(finding => finding.severity === group.severity);
        return (
          found.length > 0 && (
            <section key={group.severity} className={`nb2prod-findings nb2prod-mod-${group.severity}`}>
              <h4>
                <span className="nb2prod-sign" aria-hidden="true">
                  {group.sign}
                </span>{' '}
                {found.length} {found.length === 1 ? group.one : group.many}
              </h4>
              <ul>
                {found.map((finding, index) => (
                  <FindingItem key={index} finding={finding} onChoose={props.onChoose} />
                ))}
              </ul>
            </section>
          )
        );
      })}
    </>
  );
}

function FindingItem(props: {
  finding: Finding;
  onChoose: (finding: Finding) => void;
}): React.JSX.Element {
  const { finding } = props;
  const text = (
    <>
      <span className="nb2prod-finding-message">
        <Words text={finding.message} />
      </span>
      {finding.way_out && (
        <span className="nb2prod-finding-way-out">
          → <Words text={finding.way_out} />
        </span>
      )}
    </>
  );
  if (finding.cell === null) {
    return (
      <li className="nb2prod-finding" data-code={finding.code}>
        {text}
      </li>
    );
  }
  return (
    <li data-code={finding.code}>
      <button
        type="button"
        className="nb2prod-finding nb2prod-mod-link"
        title="Show this cell"
        onClick={() => props.onChoose(finding)}
      >
        <span className="nb2prod-place">{placeOf(finding)}</span>
        {text}
      </button>
    </li>
  );
}

function placeOf(finding: Finding): string {
  const line = finding.line === null ? '' : `, line ${finding.line}`;
  return `Cell ${finding.cell ?? ''}${line}`;
}
