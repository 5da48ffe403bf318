// Finds secrets in texts, such as an error message that quotes a request or a configuration.

/** The end of a name whose value is a secret, such as `DB_PASSWORD`. */
const NAME =
  '(?<!by|com|over|sur|tres|under)pass(?:code|phrase|wd|word)?|pwd|secrets?|cookies?|credentials?|authorization|' +
  '(?:access|account|api|private|secret|signing)[-_ ]?key';
/** The same, but only before `=`, or if name or value is quoted: `token:` may begin a host, a job name or prose. */
const UNCLEAR = 'auth|session|signature|token';
const MORE = String.raw`(?:[-_]?(?:hash|id|key|\d+))?`;
const QUOTE = String.raw`\\*["'${'`'}]`;

const LABEL =
  `(?:${NAME})${MORE}(?:${QUOTE})?\\s*[=:]|` +
  `(?:${UNCLEAR})${MORE}(?:${QUOTE}\\s*[=:]|=|:(?=\\s*${QUOTE}\\w))`;
const QUOTED = String.raw`\\*"(?:\\.|[^"\\])*"?|\\*'(?:\\.|[^'\\])*'?`;
/**
 * A quoted string (perhaps unclosed), `{…}` or `[…]` (with all that follows, if there is another one inside), or a
 * word, perhaps after a scheme or before cookie pairs.
 */
const VALUE =
  String.raw`${QUOTED}|\{[^{}]*(?:\}|\{[^]*)?|\[[^[\]]*(?:\]|\[[^]*)?|` +
  String.raw`(?:(?:basic|bearer|digest|token)\s+)?\S+(?:(?<=;)\s+[^\s=]+=(?:(?:${QUOTED})\S*|\S+))*`;

const LABELS = new RegExp(LABEL, 'i');
const LABELLED = new RegExp(`((?:${LABEL})[=>]*\\s*)(?:${VALUE})`, 'gi');

/**
 * Labels that may be followed by a secret or by an ordinary word. What follows counts as a secret if it has a digit,
 * mixed case or punctuation within, or at least 16 characters.
 */
const BEFORE_SECRET_OR_WORD =
  String.raw`\b(?:[Bb]asic|BASIC|[Bb]earer|BEARER)|` +
  `(?:[Aa]uth|AUTH|[Ss]ession|SESSION|[Ss]ignature|SIGNATURE|[Tt]oken|TOKEN)${MORE}\\s*[=:]`;
const LOOKS_SECRET = String.raw`(?=[\w.~+/=-]*(?:\d|[a-z][A-Z]|\w[.~+/=]\w)|[\w.~+/=-]{16})`;
const LIKELY = new RegExp(String.raw`((?:${BEFORE_SECRET_OR_WORD})\s+)${LOOKS_SECRET}\S+`, 'g');
/** The secret after a scheme that `LABELLED` does not know: `LABELLED` has replaced only the scheme. */
const AUTHORIZED = new RegExp(
  String.raw`((?:[Aa]uthorization|AUTHORIZATION)["']?\s*[=:]\s*\*{3})\s+${LOOKS_SECRET}[^\s,;"']+`,
  'g',
);

/**
 * Right after a colon, only what is long and has a digit: `session:cleanup` and `redis-session:6379` are no secrets.
 */
const TIGHT = new RegExp(String.raw`((?:${UNCLEAR})${MORE}:)(?=[\w.~+/=]*\d)[\w.~+/=]{16}\S*`, 'gi');

/** A private key in PEM, perhaps cut off. */
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\w+/=\\\s]*-----END [A-Z ]*-----|[\w+/=\\\s]*)/g;
/** The id of an access key of AWS, or a JSON Web Token. */
const KNOWN = /\bA[KS]IA[A-Z\d]{16}\b|(?<![\w-])eyJ[\w-]{5,}\.[\w.-]+/g;

/** The text with `***` in place of each secret that has a name before it, or a known form. */
export function withoutSecrets(text: string): string {
  return text
    .replace(PEM, '***')
    .replace(LABELLED, '$1***')
    .replace(AUTHORIZED, '$1')
    .replace(LIKELY, '$1***')
    .replace(TIGHT, '$1***')
    .replace(KNOWN, '***');
}

/** Whether `withoutSecrets` would replace something, or the text ends with a label such as `password=`. */
export function namesSecret(text: string): boolean {
  return [LABELS, LIKELY, TIGHT, PEM, KNOWN].some((pattern) => text.search(pattern) >= 0);
}
