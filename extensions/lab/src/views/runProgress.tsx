import * as React from 'react';
import { attemptsText } from '../attempts';
import { isEnded } from '../models';
import type { PipelineSession } from '../pipelineSession';
import { placeText, share, type Progress } from '../progress';
import type { RunWatch } from '../runWatch';
import { RunActions } from './runActions';
import { StatusMark } from './statusMark';

/** The run that is watched: how far it is, its log, its page. */
export function RunProgress(props: {
  pipeline: PipelineSession;
  watch: RunWatch;
  publicUrl: string;
  /** Whether the person may end it, and run it again. */
  mayRun: boolean;
}): React.JSX.Element {
  const { run, progress, waitsForPage } = props.watch;
  // Whether the person waits to see it.
  const isWanted = props.pipeline.isChosen;
  const attempts = attemptsText(run.attempts);
  const element = React.useRef<HTMLElement>(null);
  React.useEffect(() => {
    if (isWanted) {
      element.current?.scrollIntoView({ block: 'start' });
    }
  }, [isWanted]);
  return (
    <section ref={element} className="nb2prod-watched" aria-label={`Run ${run.id}`}>
      <div className="nb2prod-row">
        <StatusMark status={progress.status} />
        <span className="nb2prod-quiet">
          {run.pipeline}@v{run.version} · {run.id}
        </span>
      </div>
      <progress
        value={share(progress)}
        max={1}
        aria-label="Cells that have been run"
        className={`nb2prod-progress nb2prod-mod-${progress.status}`}
      />
      <p className="nb2prod-place-now" role="status">
        {placeText(progress)}
      </p>
      {attempts && <p className="nb2prod-quiet">{attempts}</p>}
      {progress.reason && <p className="nb2prod-reason">{progress.reason}</p>}
      <RunActions pipeline={props.pipeline} watch={props.watch} mayRun={props.mayRun}>
        {progress.page && (
          <a
            className="nb2prod-button nb2prod-mod-link-button"
            href={props.publicUrl + progress.page}
            target="_blank"
            rel="noopener"
          >
            Open the page ↗
          </a>
        )}
      </RunActions>
      {!progress.page && isEnded(progress.status) && (
        <p className="nb2prod-quiet">
          {waitsForPage ? 'Its page is being made…' : 'It has no page yet.'}
        </p>
      )}
      <LogView progress={progress} />
    </section>
  );
}

function LogView(props: { progress: Progress }): React.JSX.Element {
  const { log } = props.progress;
  const element = React.useRef<HTMLPreElement>(null);
  const isAtEnd = React.useRef(true);
  React.useLayoutEffect(() => {
    // Who has scrolled up to read is not disturbed.
    if (element.current !== null && isAtEnd.current) {
      element.current.scrollTop = element.current.scrollHeight;
    }
  }, [log]);
  if (log.lines.length === 0) {
    return <p className="nb2prod-quiet">Nothing has been printed yet.</p>;
  }
  return (
    <>
      {log.dropped > 0 && (
        <p className="nb2prod-quiet">
          The first {log.dropped} lines are left out here; the page has them.
        </p>
      )}
      <pre
        ref={element}
        className="nb2prod-code nb2prod-log"
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        onScroll={event => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {log.lines.join('\n')}
      </pre>
    </>
  );
}
