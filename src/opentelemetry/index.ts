// `nestjs-exclusive/opentelemetry`: spans and metrics. Nothing else in the package imports `@opentelemetry/api`.
export { RedlockTelemetryModule, type RedlockTelemetryOptions } from './redlock-telemetry.module.js';
