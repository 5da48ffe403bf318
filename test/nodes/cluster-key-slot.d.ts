declare module 'cluster-key-slot' {
  /** The Cluster slot of a key. */
  export default function slotOf(key: string | Buffer): number;
}
