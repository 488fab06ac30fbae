// Collects the texts and bytes of a document into buffers: together they may exceed V8's longest string, and a buffer for each
// of many short texts would cost more than its text.

export interface PieceCollector {
  add(piece: string | Uint8Array): void;
  /** The collected buffers, none of them empty; nothing may be added afterwards. */
  finish(): { readonly pieces: readonly Uint8Array[]; readonly bytes: number };
}

/** Texts are encoded once this many characters have come together. */
const PIECE_LENGTH = 65_536;

export function createPieceCollector(): PieceCollector {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let text = '';
  const push = (buffer: Uint8Array): void => {
    if (buffer.length === 0) return;
    pieces.push(buffer);
    bytes += buffer.length;
  };
  const flushText = (): void => {
    if (text === '') return;
    push(Buffer.from(text));
    text = '';
  };
  return {
    add(piece) {
      if (typeof piece === 'string') {
        text += piece;
        if (text.length >= PIECE_LENGTH) flushText();
        return;
      }
      flushText();
      push(piece);
    },
    finish() {
      flushText();
      return { pieces, bytes };
    },
  };
}
