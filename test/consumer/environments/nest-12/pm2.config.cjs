module.exports = {
  apps: [
    {
      name: 'reports',
      script: 'dist/slow.js',
      exec_mode: 'cluster',
      instances: 2,
      autorestart: false,
      merge_logs: true,
      out_file: 'pm2.log',
      error_file: 'pm2.log',
      ...(process.env.KILL_TIMEOUT && { kill_timeout: Number(process.env.KILL_TIMEOUT) }),
    },
  ],
};
