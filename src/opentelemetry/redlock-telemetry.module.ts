import { type DynamicModule, Module } from '@nestjs/common';
import { boolean, checkedOptions } from '../checks.js';
import { Telemetry, TELEMETRY, TELEMETRY_OPTIONS } from './telemetry.service.js';

/** Options of `RedlockTelemetryModule.forRoot`. */
export interface RedlockTelemetryOptions {
  /**
   * Whether the names that a name function returns, such as `report:acme`, are used as the label `job.name` of metrics
   * and as names of spans. Each tenant then has its own time series. If `false`, `ClassName.method(…)` is used instead.
   * The attribute `job.name` of a span is always the whole name. Default: `false`.
   */
  readonly tenants?: boolean | undefined;
}

/**
 * A span for each run and metrics of all jobs, by the OpenTelemetry SDK that the application has registered. Import it
 * once, in the root module, next to `RedlockModule`.
 */
@Module({})
export class RedlockTelemetryModule {
  /** @throws InvalidOptionError for an invalid option, and at start if there is no `RedlockModule`. */
  static forRoot(options: RedlockTelemetryOptions = {}): DynamicModule {
    const { tenants = false } = checkedOptions(TELEMETRY, options, { tenants: boolean });
    return {
      module: RedlockTelemetryModule,
      providers: [Telemetry, { provide: TELEMETRY_OPTIONS, useValue: { tenants } }],
    };
  }
}
