import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate for localhost that nobody trusts, and its key, as files. */
export class Certificate {
  private readonly folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  readonly file = join(this.folder, 'cert.pem');
  readonly key = join(this.folder, 'key.pem');

  constructor() {
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const files = ['-keyout', this.key, '-out', this.file];
    execFileSync('openssl', ['req', '-x509', ...kind, ...names, ...files], { stdio: 'ignore' });
  }

  /** The arguments of a Redis server that also speaks TLS, on another port. */
  serverArgs(port: number, clients: 'no' | 'yes'): string[] {
    const files = ['--tls-cert-file', this.file, '--tls-key-file', this.key, '--tls-ca-cert-file', this.file];
    return ['--tls-port', `${port}`, ...files, '--tls-auth-clients', clients];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
