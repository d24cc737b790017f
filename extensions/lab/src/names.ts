/** Names of pipelines and notebooks. */

const COPY_OF_VERSION = /^(.+)@v[0-9]+(?: \([0-9]+\))?$/;
const PIPELINE = /^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$/;

/** The file's name, without folder and ending. */
export function stemOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name.endsWith('.ipynb') ? name.slice(0, -'.ipynb'.length) : name;
}

/**
 * The pipeline that a notebook is likely meant for: that of its name, and for a copy of
 * `train@v3` that a person has opened, `train`.
 */
export function pipelineOf(path: string): string {
  const stem = stemOf(path);
  const copied = COPY_OF_VERSION.exec(stem)?.[1] ?? stem;
  return copied.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^[-_]+|[-_]+$/g, '');
}

/** What is wrong with a pipeline's name; empty where nothing is. */
export function nameProblem(name: string): string {
  return PIPELINE.test(name)
    ? ''
    : 'Use 1 to 60 letters, digits, hyphens and underscores, beginning with a letter or digit.';
}
