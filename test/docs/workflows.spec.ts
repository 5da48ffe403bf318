import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const FOLDER = '.github/workflows';

describe.each(readdirSync(FOLDER))('the workflow %s', (file) => {
  const text = readFileSync(`${FOLDER}/${file}`, 'utf8');

  it('pins each action by commit, and names its version', () => {
    const uses = text.split('\n').filter((line) => line.includes('uses:'));
    expect(uses).not.toEqual([]);
    for (const line of uses) expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('runs no script of a dependency in a job that may publish', () => {
    const jobs = text.split(/^ {2}(?=\w+:$)/m).filter((job) => job.includes('id-token: write'));
    expect(jobs).toHaveLength(file === 'release.yml' ? 1 : 0);
    for (const job of jobs) {
      for (const [install] of job.matchAll(/npm (ci|install|i)\b.*/g))
        expect(install).toContain('--ignore-scripts');
    }
  });
});
