import 'reflect-metadata';
import { afterEach } from 'vitest';
import { closeAll } from './close-after-test.js';

afterEach(closeAll);
