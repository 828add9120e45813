// Where a release says it was made: the rules no schema can say, and how an operator's list of sources is held against it. Used by statement.ts, `sign` and the rules of admission.
import { Provenance } from '../../schemas/release.ts';
import { compileSchema } from '../schema.ts';

/** What is wrong with it; undefined when nothing is. An address is written in one way only, so that a list of them cannot be passed by spelling one differently. */
export function provenanceProblem(provenance: Provenance): string | undefined {
  const wrong = compileSchema(Provenance).explain(provenance);
  if (wrong) return `its provenance is wrong at ${wrong.path}: ${wrong.problem}`;
  const { source } = provenance;
  if (!URL.canParse(source) || new URL(source).href !== source) return `its source '${source}' is not written as an address is: no default port, no dots as folders, a host that exists in this form`;
  return undefined;
}

/**
 * Whether a source is the one a prefix names or lies below it. A prefix ends where a name ends: `https://git.example/acme` holds `https://git.example/acme/x`
 * and not `https://git.example/acme-evil`. Both are compared as they are written; a provenance that has been verified is in its one form.
 */
export function isUnderSource(source: string, prefix: string): boolean {
  const start = prefix.replace(/\/+$/, '');
  return source === start || source.startsWith(`${start}/`);
}

/** As `isUnderSource`, for lists of what must not run: also where only the case, the scheme, the dot behind a host or the `.git` behind a repository is another. */
export function seemsUnderSource(source: string, prefix: string): boolean {
  return isUnderSource(bareSource(source), bareSource(prefix));
}

const bareSource = (address: string) => address.toLowerCase().replace(/^https?:\/\//, '').replace(/\.(?=[:/])/, '').replace(/\/+$/, '').replace(/\.git$/, '');

/** Whether nobody on the way to the repository could have answered in its place. */
export const isHttpsSource = ({ source }: Provenance): boolean => source.startsWith('https://');
