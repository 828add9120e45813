// Files, places and people of a message as elements. Nothing in them is read as markup, and only the host's own files are loaded by the page itself: whatever lies elsewhere is a link, or whoever sent it would learn who looks, and when.

/**
 * @typedef {{ kind: string, url?: string, name?: string, mimeType?: string, sizeBytes?: number, width?: number, height?: number, latitude?: number, longitude?: number, phones?: string[], emails?: string[] }} Block
 *   As the host's schema has it; the page believes none of it.
 */

/** A signed address of the host. */
const OWN = /^\/media\/[\w-]{1,300}$/;
const MOST_BLOCKS = 16;
const KINDS = new Map([['image', 'Image'], ['audio', 'Audio'], ['video', 'Video'], ['file', 'File']]);

/** What is not a block is left out. @param {unknown} blocks @returns {HTMLElement[]} */
export function mediaElements(blocks) {
  return Array.isArray(blocks) ? blocks.slice(0, MOST_BLOCKS).flatMap((block) => (typeof block === 'object' && block !== null ? (elementFor(block) ?? []) : [])) : [];
}

/** @param {Block} block */
function elementFor(block) {
  const { kind, latitude, longitude } = block;
  if (kind === 'location' && typeof latitude === 'number' && typeof longitude === 'number') return placeElement(textOf(block.name), latitude, longitude);
  if (kind === 'contact') return labelled('contact', [textOf(block.name), ...listOf(block.phones), ...listOf(block.emails)].filter((each) => each !== '').join(', '));
  if (!KINDS.has(kind)) return undefined;
  const url = textOf(block.url);
  if (OWN.test(url)) return ownElement(block, url);
  const target = URL.parse(url);
  const isWeb = target?.protocol === 'https:' || target?.protocol === 'http:';
  return isWeb ? link(`${labelOf(block)} – ${target.host}`, target.href) : labelled('file', labelOf(block));
}

/** @param {Block} block @param {string} url */
function ownElement(block, url) {
  const { kind, mimeType = '' } = block;
  if (kind === 'image' && mimeType.startsWith('image/') && mimeType !== 'image/heic') {
    const image = document.createElement('img');
    image.alt = labelOf(block);
    image.loading = 'lazy';
    // Room is kept while it loads, so that what is read does not jump away.
    if (isSize(block.width) && isSize(block.height)) [image.width, image.height] = [block.width, block.height];
    image.addEventListener('error', () => image.parentElement?.replaceWith(labelled('file', `${labelOf(block)}, no longer here`)));
    image.src = url;
    const frame = link('', url);
    frame.className = 'image';
    frame.replaceChildren(image);
    return frame;
  }
  if ((kind === 'audio' || kind === 'video') && (mimeType.startsWith('audio/') || mimeType === 'video/mp4' || mimeType === 'video/webm')) {
    const player = document.createElement(kind);
    player.controls = true;
    player.preload = 'none';
    player.setAttribute('aria-label', labelOf(block));
    player.src = url;
    return player;
  }
  const saved = link(labelOf(block), url);
  saved.download = '';
  return saved;
}

/** @param {string} name @param {number} latitude @param {number} longitude */
function placeElement(name, latitude, longitude) {
  const [lat, lon] = [latitude, longitude].map((each) => String(Number(each.toFixed(5))));
  return link(`${name === '' ? 'Location' : name} (${lat}, ${lon})`, `https://www.openstreetmap.org/?mlat=${lat}&mlon=${lon}#map=16/${lat}/${lon}`);
}

/** Opens elsewhere, and what opens there knows nothing of this page. @param {string} text @param {string} href */
function link(text, href) {
  const made = document.createElement('a');
  made.className = 'file';
  made.textContent = text;
  made.href = href;
  made.target = '_blank';
  made.rel = 'noopener noreferrer nofollow';
  return made;
}

/** @param {string} className @param {string} text */
function labelled(className, text) {
  const made = document.createElement('span');
  made.className = className;
  made.textContent = text;
  return made;
}

/** @param {Block} block */
function labelOf({ kind, name, sizeBytes }) {
  const size = typeof sizeBytes === 'number' ? `${Math.max(1, Math.round(sizeBytes / 1000)).toLocaleString()} kB` : '';
  return [textOf(name) || (KINDS.get(kind) ?? 'File'), size].filter((each) => each !== '').join(', ');
}

/** @param {unknown} value */
const textOf = (value) => (typeof value === 'string' ? value.slice(0, 2000) : '');
/** @param {unknown} value */
const listOf = (value) => (Array.isArray(value) ? value.slice(0, 8).map(textOf) : []);
/** @param {unknown} value @returns {value is number} */
const isSize = (value) => typeof value === 'number' && value > 0 && value < 100_000;
