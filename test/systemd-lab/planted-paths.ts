import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

export const root: Owner = { uid: 0, gid: 0 }

export function makeDirectory(path: string, mode: number, { uid, gid }: Owner): void {
  mkdirSync(path, { recursive: true })
  chownSync(path, uid, gid)
  chmodSync(path, mode)
}

export function makeFile(path: string, text: string, mode: number, { uid, gid }: Owner): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  chownSync(path, uid, gid)
  chmodSync(path, mode)
}

export function makeLink(path: string, target: string, { uid, gid }: Owner): void {
  symlinkSync(target, path)
  lchownSync(path, uid, gid)
}
