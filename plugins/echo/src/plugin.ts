// Echo: answers `echo <text>` with `<text>`. The smallest useful skill.
import { defineSkill } from '@gatehouse/plugin-sdk';

/** The capital is what phones make of the first word; both are triggers in plugin.json. */
const ECHO = /^[Ee]cho\s+(?<text>\S[^]*)$/;

export default defineSkill({
  respond({ message }) {
    const text = ECHO.exec(message.text)?.groups?.['text'];
    return text === undefined ? null : { replies: [{ text }] };
  },
});
