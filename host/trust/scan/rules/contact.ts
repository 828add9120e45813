// Who may use it, and whom to tell of a hole in it. Only for the reader: nobody is refused for a missing address.
import { MANIFEST_FILE } from '../../package-names.ts';
import { quote, type ContentRule } from '../finding.ts';

export const contact: ContentRule = {
  name: 'licence-and-contact',
  *look({ manifest: { license, securityContact } }) {
    const note = { outcome: 'note', risk: 'low', file: MANIFEST_FILE } as const;
    if (!isLicence(license)) yield { ...note, message: `Its licence is ${quote(license)}, which names none.`, fix: 'Name a licence of the SPDX list (https://spdx.org/licenses) in plugin.json.' };
    if (securityContact === undefined) yield { ...note, message: 'It names nobody to tell of a hole in it.', fix: 'Add "securityContact": "mailto:…" or an https address to plugin.json.' };
    else if (!/^(?:mailto:[^\s@]+@[^\s@]+|https:\/\/[^\s/]+\.[^\s/]+(?:\/\S*)?)$/.test(securityContact)) {
      yield { ...note, message: `Its contact for holes, ${quote(securityContact)}, is neither a mailto: nor an https address.`, fix: 'Write "mailto:…" or "https://…" in plugin.json.' };
    }
  },
};

/** An SPDX identifier or expression, by its looks. */
const isLicence = (text: string) => !/^(?:none|noassertion|unknown|unlicensed|proprietary|todo|tbd)$/i.test(text) && /^[A-Za-z0-9.+ ()-]+$/.test(text) && !/^see /i.test(text);
