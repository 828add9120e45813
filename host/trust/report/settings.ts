// The settings a plugin takes, as rows of a table. Asked by report.ts.
import type { PluginManifest } from '../../../schemas/plugin-manifest.ts';

export interface Setting {
  readonly name: string;
  /** A JSON type, several, or the words that are allowed. */
  readonly type: string;
  readonly required: boolean;
  readonly secret: boolean;
  readonly description: string | undefined;
}

export function settingsOf(config: PluginManifest['config']): Setting[] {
  const properties: Readonly<Record<string, unknown>> = { ...Object(config?.['properties']) };
  const required: unknown = config?.['required'];
  return Object.entries(properties).map(([name, schema]) => {
    const { type, description, 'x-secret': secret, enum: words }: Readonly<Record<string, unknown>> = { ...Object(schema) };
    const typeText = Array.isArray(words) ? words.map((word) => JSON.stringify(word)).join(' | ') : [type].flat().map((each) => (typeof each === 'string' ? each : 'any')).join(' | ');
    return { name, type: typeText, required: Array.isArray(required) && required.includes(name), secret: secret === true, description: typeof description === 'string' ? description : undefined };
  });
}
