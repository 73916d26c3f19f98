/** js-libp2p needs this of Node 22, and this project runs from Node 20. Must be imported before it. */
function withResolvers() {
  let parts = {}
  const promise = new Promise((resolve, reject) => {
    parts = { resolve, reject }
  })
  return { promise, ...parts }
}

if (!('withResolvers' in Promise)) Object.assign(Promise, { withResolvers })
