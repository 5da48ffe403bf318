/** Sets up applications as users have them, each in its own folder, with the packed package installed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, inject } from 'vitest';
import { npm } from '../npm.js';

/** The folder whose subfolders the applications are made of. */
export const SOURCES = fileURLToPath(new URL('.', import.meta.url));
/** How long an installation may take on a busy machine, in milliseconds. */
export const PATIENCE = 240_000;
/** How long a script or a line of output may take, in milliseconds. */
const PROMPTNESS = 120_000;

/** A process, and what it prints, except the messages of `cron`, which come of a busy machine. */
export class Program {
  private readonly child: ChildProcess;
  private printed = '';
  private readonly onOutput = new Set<() => void>();
  /** Resolves to what it printed. Rejects if it failed; to be ended by `SIGTERM` is not a failure. */
  readonly ended: Promise<string>;

  constructor(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
    // In a process group of its own, so that `kill` reaches what it starts.
    this.child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const read = (chunk: unknown): void => {
      this.printed += String(chunk);
      for (const listener of this.onOutput) listener();
    };
    this.child.stdout?.on('data', read);
    this.child.stderr?.on('data', read);
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => {
        if (code === 0 || signal === 'SIGTERM') resolve(this.output);
        else
          reject(new Error(`${[command, ...args].join(' ')} ended with ${signal ?? code}:\n${this.printed}`));
        for (const listener of this.onOutput) listener();
      });
    });
    // A caller that waits for a line learns of the failure there.
    this.ended.catch(() => {});
  }

  /** What it has printed, to both streams. */
  get lines(): string[] {
    return this.output.split('\n').filter((line) => line !== '');
  }

  private get output(): string {
    return this.printed.replaceAll(/^\[Cron\] .*\n/gm, '');
  }

  /** Waits until it has printed a line that starts with `start`. */
  async prints(start: string): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      const look = (): void => {
        if (!this.lines.some((line) => line.startsWith(start))) return;
        this.onOutput.delete(look);
        resolve();
      };
      this.onOutput.add(look);
      look();
    });
    const missing = (): never => {
      throw new Error(`It did not print "${start}":\n${this.printed}`);
    };
    await Promise.race([
      seen,
      this.ended.then(missing),
      delay(PROMPTNESS, undefined, { ref: false }).then(missing),
    ]);
  }

  kill(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null)
      return;
    process.kill(-this.child.pid, signal);
  }
}

/** An application with what it has installed. */
export class Consumer {
  private readonly programs = new Set<Program>();

  /** @param whereabouts Its folder, which is there once it is installed. */
  constructor(private readonly whereabouts: () => string) {}

  get home(): string {
    return this.whereabouts();
  }

  /** Runs a script of its package.json. @returns What it prints. */
  async script(name: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const program = this.run('npm', ['run', '--silent', name], env);
    const timer = setTimeout(() => program.kill('SIGKILL'), PROMPTNESS);
    return program.ended.finally(() => clearTimeout(timer));
  }

  /** Starts Node.js, or another command, with these arguments. If it still runs at the end of the test, it is killed. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}, command = process.execPath): Program {
    return this.run(command, args, env);
  }

  private run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Program {
    const program = new Program(command, args, this.home, {
      ...process.env,
      // Vitest sets these for its own tests. The applications must not see them.
      NODE_ENV: undefined,
      VITEST: undefined,
      FORCE_COLOR: undefined,
      NO_COLOR: '1',
      ...env,
    });
    this.programs.add(program);
    return program;
  }

  /** Kills what still runs. */
  killAll(): void {
    for (const program of this.programs) program.kill('SIGKILL');
    this.programs.clear();
  }
}

/** Installs what the package.json in a folder asks for. The packed package is `../nestjs-exclusive.tgz` from there. */
export type Installer = (home: string) => Promise<unknown>;

const byNpm: Installer = (home) => npm(home, 'install', '--strict-peer-deps', 'file:../nestjs-exclusive.tgz');

/**
 * Installs the packed package into applications, before the tests of a file.
 *
 * @param parts The folders that each application is made of. Their files are merged.
 * @param installers What installs an application in place of npm.
 */
export function useConsumers<Name extends string>(
  parts: Record<Name, readonly string[]>,
  installers: Partial<Record<Name, Installer>> = {},
): Record<Name, Consumer> {
  let folder: string;
  const names = Object.keys(parts) as Name[];
  const homeOf = (name: Name): string => join(folder, name);
  const consumers = Object.fromEntries(
    names.map((name) => [name, new Consumer(() => homeOf(name))]),
  ) as Record<Name, Consumer>;
  const killAll = (): void => names.forEach((name) => consumers[name].killAll());

  const install = async (name: Name): Promise<void> => {
    for (const part of parts[name]) await cp(join(SOURCES, part), homeOf(name), { recursive: true });
    await (installers[name] ?? byNpm)(homeOf(name));
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'consumers-'));
    await cp(inject('packed'), join(folder, 'nestjs-exclusive.tgz'));
    await Promise.all(names.map(install));
  }, PATIENCE);
  afterEach(killAll);
  afterAll(async () => {
    killAll();
    await rm(folder, { recursive: true, force: true });
  });

  afterAll(() => expect(doubles).toEqual([]));

  return consumers;
}

/** How long an application is to run, in milliseconds: three ticks of a second and a part of one. */
export const LIFE = 3800;

export const EACH_TICK_ONCE = 'runs each tick once';
export const NEVER = 'never runs';
/** The runs of each job with a tick that ran twice. A test that passes when it is repeated does not excuse them. */
const doubles: (readonly string[])[] = [];

/**
 * Says what the runs of a job that is due each second amount to.
 *
 * @param tokens Their fencing tokens, from the whole fleet.
 */
export function verdictOn(tokens: readonly string[]): string {
  if (tokens.length === 0) return NEVER;
  if (new Set(tokens).size < tokens.length) doubles.push(tokens);
  const first = Number(tokens[0]);
  const isEachOnce = tokens.every((token, index) => Number(token) === first + index * 1000);
  return isEachOnce && tokens.length >= 3 ? EACH_TICK_ONCE : `ran for ${tokens.join(', ')}`;
}
