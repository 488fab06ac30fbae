// The arithmetic of the spare bytes at the end of a store's file (ENVIRONMENT-4, ENVIRONMENT-5): which writes have room, and
// when the file is extended. Reading the sizes of the file and the disk costs more than a small write, so they are kept and
// reduced by the maximum of each transaction until they no longer suffice.

/** The store's file and its disk. */
export interface SpareFile {
  /** The bytes up to the end of the last page. */
  usedBytes(): number;
  sizeBytes(): number;
  /** The free bytes of the disk. */
  freeBytes(): number;
  /** Appends zeros until the file has this size, or the disk is full. */
  extendTo(sizeBytes: number): void;
}

export interface SpareRoom {
  /** Extends the file when half of the spare bytes are used; false while the disk has no room for them. */
  keep(): boolean;
  /** Reserves bytes for a transaction: after the last page, or on a disk with much free space. False if there is no room. */
  reserve(bytes: number): boolean;
}

/** LMDB may extend the file itself while the disk has this many times the spare bytes free. */
const MARGIN = 16;

export function createSpareRoom(file: SpareFile, spareBytes: number): SpareRoom {
  /** A lower bound of the bytes after the last page. */
  let leftBytes = 0;
  /** Bytes that transactions may take from the disk until `keep` checks the spare bytes again. */
  let diskBytes = 0;

  const measure = (): void => {
    leftBytes = file.sizeBytes() - file.usedBytes();
  };
  const extend = (wantedBytes: number): void => {
    file.extendTo(file.usedBytes() + wantedBytes);
    measure();
  };
  return {
    keep() {
      diskBytes = 0;
      if (leftBytes < spareBytes / 2) measure();
      if (leftBytes < spareBytes / 2) extend(spareBytes);
      return leftBytes >= spareBytes / 2;
    },
    reserve(bytes) {
      if (leftBytes < bytes && diskBytes < bytes) measure();
      if (leftBytes < bytes && diskBytes < bytes) {
        if (file.freeBytes() >= bytes + MARGIN * spareBytes) diskBytes = Math.max(bytes, spareBytes);
        else extend(Math.max(bytes, spareBytes));
      }
      if (leftBytes >= bytes) leftBytes -= bytes;
      else if (diskBytes >= bytes) {
        diskBytes -= bytes;
        // LMDB uses the spare bytes first.
        leftBytes = 0;
      } else return false;
      return true;
    },
  };
}
