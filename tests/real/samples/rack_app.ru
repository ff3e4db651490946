# SPDX-License-Identifier: Apache-2.0
# /slow/N answers after N ms, /large is 4 MB, everything else small.
large = 'x' * (4 << 20)
run lambda { |env|
  path = env['PATH_INFO']
  sleep(path[6..].to_i / 1000.0) if path.start_with?('/slow/')
  body = path == '/large' ? large : 'hello'
  [200, { 'Content-Type' => 'text/plain', 'Content-Length' => body.bytesize.to_s }, [body]]
}
