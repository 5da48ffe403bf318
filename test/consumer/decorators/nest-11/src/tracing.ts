/** Sentry 10 sets up OpenTelemetry by default. */
export const TRACING = {};
