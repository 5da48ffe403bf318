import 'reflect-metadata';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as schedule from '@nestjs/schedule';
import { Redis } from 'ioredis';
import * as exclusive from 'nestjs-exclusive';
import run from './application.cjs';

await run({ ...common, ...core, ...schedule, ...exclusive, Redis });
