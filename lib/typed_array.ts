/**
 * The name of a typed array's kind, e.g. `Float32Array`; undefined for all else. Of any realm: to `instanceof`, an array from a `vm`
 * context (which Jest runs tests in) is none.
 * @internal
 */
export function typedArrayKind(value: unknown): string | undefined {
  return ArrayBuffer.isView(value) ? (value as Float32Array)[Symbol.toStringTag] : undefined;
}
