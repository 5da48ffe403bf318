import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const FLAGS = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];

/** Runs a command of npm in a folder. */
export function npm(cwd: string, ...args: string[]) {
  // After `--` come the arguments of another command.
  const [command = '', ...rest] = args;
  return execute('npm', [command, ...FLAGS, ...rest], { cwd });
}
