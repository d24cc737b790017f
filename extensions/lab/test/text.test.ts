import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageText } from '../src/age';
import { diffLines, diffSummary } from '../src/diff';
import { addLines, addText, EMPTY_LOG, MAX_LOG_LINES } from '../src/log';
import { nameProblem, pipelineOf } from '../src/names';

const DIFF = `--- train@v1
+++ train@v2
@@ -1,3 +1,3 @@
 import pandas
--- 5
+++ 5
 print(x)
`;

test('diff lines keep what begins like a header inside of a hunk', () => {
  assert.deepEqual(diffLines(DIFF), [
    { kind: 'place', text: '@@ -1,3 +1,3 @@' },
    { kind: 'same', text: 'import pandas' },
    { kind: 'removed', text: '-- 5' },
    { kind: 'added', text: '++ 5' },
    { kind: 'same', text: 'print(x)' }
  ]);
  assert.equal(diffSummary(diffLines(DIFF)), '1 line added, 1 removed');
});

test('an empty diff has no lines', () => {
  assert.deepEqual(diffLines(''), []);
});

test('text without a newline goes on in its line', () => {
  const log = addText(addText(EMPTY_LOG, 'epoch '), '1\nepoch 2');
  assert.deepEqual(log.lines, ['epoch 1', 'epoch 2']);
  assert.equal(log.isOpen, true);
});

test('a carriage return writes over the line, also across two texts', () => {
  const log = addText(addText(EMPTY_LOG, ' 10%\r'), ' 20%\r 30%\ndone\r\n');
  assert.deepEqual(log.lines, [' 30%', 'done']);
});

test('colours are left out', () => {
  assert.deepEqual(addText(EMPTY_LOG, '\u001b[0;31mNameError\u001b[0m: x\n').lines, ['NameError: x']);
});

test('lines of their own begin and end a line', () => {
  const log = addText(addLines(addText(EMPTY_LOG, 'a'), 'b'), 'c\n');
  assert.deepEqual(log.lines, ['a', 'b', 'c']);
});

test('a long log keeps its end, and counts what it dropped', () => {
  const log = addText(EMPTY_LOG, 'x\n'.repeat(MAX_LOG_LINES + 5));
  assert.equal(log.lines.length, MAX_LOG_LINES);
  assert.equal(log.dropped, 5);
});

test('the pipeline of a copy of a version is that version’s', () => {
  assert.equal(pipelineOf('private/train@v3.ipynb'), 'train');
  assert.equal(pipelineOf('private/train@v12 (2).ipynb'), 'train');
  assert.equal(pipelineOf('project/models/seat demand.ipynb'), 'seat-demand');
});

test('names of pipelines follow the workspace’s rule', () => {
  assert.equal(nameProblem('train_2-b'), '');
  for (const name of ['', '-a', 'ä', 'a b', 'a'.repeat(61)]) {
    assert.notEqual(nameProblem(name), '');
  }
});

test('ages are rounded down to the largest unit', () => {
  const now = Date.parse('2026-11-20T12:00:00Z');
  const ages = ['2026-11-20T11:59:30Z', '2026-11-20T11:57:10Z', '2026-11-20T09:00:00Z', '2026-11-01T00:00:00Z'];
  assert.deepEqual(ages.map(age => ageText(age, now)), ['just now', '2 min ago', '3 h ago', '19 d ago']);
});
