'use strict';
require('reflect-metadata');
const run = require('./application.cjs');

void run({
  ...require('@nestjs/common'),
  ...require('@nestjs/core'),
  ...require('@nestjs/schedule'),
  ...require('nestjs-exclusive'),
  Redis: require('ioredis').Redis,
});
