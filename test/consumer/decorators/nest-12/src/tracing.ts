/** Sentry 11 sets up OpenTelemetry only if it is asked to. */
export const TRACING = { enableOpenTelemetrySetup: true };
