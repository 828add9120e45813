// Small builders every schema file uses: closed objects and string unions with bounded size.
import { Type, type TObject, type TProperties, type TSchemaOptions } from 'typebox';

/** A closed object: unknown keys are refused. */
export function closed<const P extends TProperties>(properties: P, options: TSchemaOptions = {}): TObject<P> {
  return Type.Object(properties, { ...options, additionalProperties: false });
}

/** A string with an upper bound in UTF-16 units. */
export function text(maxLength: number, options: TSchemaOptions = {}) {
  return Type.String({ ...options, maxLength });
}

/** One of a fixed set of words. */
export function oneOf<const W extends readonly string[]>(...words: W) {
  return Type.Unsafe<W[number]>(Type.String({ enum: [...words] }));
}

/** A whole number within bounds, both included. */
export function whole(minimum: number, maximum: number, options: TSchemaOptions = {}) {
  return Type.Integer({ ...options, minimum, maximum });
}
