/** Types of the package's protocol module, which it lacks. */

declare module '@homebridge/dbus-native/lib/message.js' {
  const message: {
    marshall(message: object): Uint8Array
    /** Calls back for each message. */
    unmarshalMessages(stream: import('node:net').Socket, onMessage: (message: never) => void, options: object): void
  }
  export default message
}

declare module '@homebridge/dbus-native/lib/handshake.js' {
  export default function handshake(
    stream: import('node:net').Socket,
    options: { readonly authMethods: readonly string[] },
    done: (error: unknown) => void,
  ): void
}
