import type { LoggerService } from '@nestjs/common';

/** One call of the logger. */
export interface LogLine {
  readonly level: string;
  readonly text: string;
}

/** A logger that keeps all it is told, at every level, and prints nothing. */
export class RecordingLogger implements LoggerService {
  readonly lines: LogLine[] = [];

  readonly log = this.recorder('log');
  readonly error = this.recorder('error');
  readonly warn = this.recorder('warn');
  readonly debug = this.recorder('debug');
  readonly verbose = this.recorder('verbose');
  readonly fatal = this.recorder('fatal');

  /** The messages of one level. */
  at(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map(({ text }) => text);
  }

  /** All that was said, as one text. */
  get text(): string {
    return this.lines.map(({ level, text }) => `${level}: ${text}`).join('\n');
  }

  private recorder(level: string): (message: unknown, ...rest: unknown[]) => void {
    return (message, ...rest) => {
      this.lines.push({ level, text: [message, ...rest].map(String).join(' ') });
    };
  }
}
