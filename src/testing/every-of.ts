import type { Type } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';

/** A service of every `RedlockModule` of an application, which may import several, or none. */
export function everyOf<Service>(app: TestingModule, service: Type<Service>): Service[] {
  try {
    return app.get<Service>(service, { strict: false, each: true });
  } catch {
    return [];
  }
}
