// SPDX-License-Identifier: Apache-2.0
// Grizzly, out of descriptors. When accept fails, the selector thread sleeps for one second "to recover"; while connections wait it does so again and
// again, and clients that are connected already are served once a second. The thread sleeps while sockets of its epoll are ready.
// Report: https://github.com/eclipse-ee4j/glassfish-grizzly/issues/990
// Fix: stop listening for a while (interestOps 0) instead of sleeping.
// Expect all: missed loop-stall likely: Thread.sleep is a futex call with a timeout, and a futex is taken for a wait for another thread
// Expect excerpt: none: one stall at most in so few lines
// Begins: 1
// Run: 6
// Log: 6
// Load: idle
import java.io.IOException;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;

class Program {
  static SocketChannel[] clients = new SocketChannel[4];

  static void serve(Selector selector, SelectionKey key, boolean fixed) throws Exception {
    if (key.isAcceptable()) {
      try {
        SocketChannel c = ((ServerSocketChannel) key.channel()).accept();
        c.configureBlocking(false).register(selector, SelectionKey.OP_READ);
      } catch (IOException e) {
        if (fixed) key.interestOps(0); // a timer would set it again
        else Thread.sleep(1000);
      }
    } else {
      ByteBuffer b = ByteBuffer.allocate(64);
      if (((SocketChannel) key.channel()).read(b) > 0) ((SocketChannel) key.channel()).write(b.flip());
    }
  }

  public static void main(String[] args) throws Exception {
    new java.util.Timer(true).schedule(new java.util.TimerTask() { public void run() { System.exit(0); } }, 60000);
    boolean fixed = "1".equals(System.getenv("FIXED"));
    Selector selector = Selector.open();
    ServerSocketChannel listener = ServerSocketChannel.open();
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
    for (int i = 0; i < 4; ++i) clients[i] = SocketChannel.open(listener.getLocalAddress());
    clients[3].write(ByteBuffer.allocate(1)); // the JVM needs descriptors for the first write
    int limit = new java.io.File("/proc/self/fd").list().length + 2;
    Thread load = new Thread(() -> {
      try {
        ByteBuffer b = ByteBuffer.allocate(64);
        for (; ; Thread.sleep(20)) {
          for (int i = 0; i < 3; ++i) clients[i].write(ByteBuffer.wrap("ping".getBytes()));
          for (int i = 0; i < 3; ++i) clients[i].read(b.clear());
        }
      } catch (Exception e) { System.exit(0); }
    });
    new ProcessBuilder("prlimit", "--pid", "" + ProcessHandle.current().pid(), "--nofile=" + limit).inheritIO().start().waitFor();
    for (load.start(); ; selector.selectedKeys().clear()) {
      selector.select();
      for (SelectionKey key : selector.selectedKeys()) serve(selector, key, fixed);
    }
  }
}
