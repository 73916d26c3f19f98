/** Known answers, in the words and order of the documents they come from. */
import type { Bytes } from '../wire/bytes.ts'

/** A view into a larger buffer, as a part of a frame is one: a provider that takes the whole buffer fails. */
function hex(digits: string): Bytes {
  const whole = new Uint8Array(digits.length / 2 + 8).fill(0xee)
  const view = whole.subarray(3, 3 + digits.length / 2)
  for (let i = 0; i < view.length; i++) view[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return view
}

/** RFC 8032 §7.1. */
export const ED25519 = [
  {
    seed: hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'),
    publicKey: hex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'),
    message: hex(''),
    signature: hex(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ),
  },
  {
    seed: hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'),
    publicKey: hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'),
    message: hex('72'),
    signature: hex(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ),
  },
  {
    seed: hex('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7'),
    publicKey: hex('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025'),
    message: hex('af82'),
    signature: hex(
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ),
  },
  {
    seed: hex('f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5'),
    publicKey: hex('278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e'),
    message: hex(
      '08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544' +
        'e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432' +
        '826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15' +
        '452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628' +
        'c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83' +
        'f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70e' +
        'b6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf' +
        '2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089b' +
        'eccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a7131' +
        '4f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2' +
        'af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e' +
        '43f1bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb' +
        '3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a' +
        '7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276c' +
        'd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308a' +
        'a342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5f' +
        'b93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6' +
        'd9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c4185c32eddcd' +
        'd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0',
    ),
    signature: hex(
      '0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03',
    ),
  },
  {
    seed: hex('833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42'),
    publicKey: hex('ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf'),
    message: hex(
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    ),
    signature: hex(
      'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
    ),
  },
] as const

/**
 * Where verifiers of Ed25519 differ: "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020), cases 0 to 9. Each
 * is accepted by some verifier in use.
 */
export const CONTESTED_SIGNATURES = [
  {
    what: 'key and R of small order, S zero',
    accepted: false,
    publicKey: hex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'),
    message: hex('8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6'),
    signature: hex(
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000',
    ),
  },
  {
    what: 'key of small order',
    accepted: false,
    publicKey: hex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'),
    message: hex('9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79'),
    signature: hex(
      'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04',
    ),
  },
  {
    what: 'R of small order',
    accepted: false,
    publicKey: hex('f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43'),
    message: hex('aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab'),
    signature: hex(
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e',
    ),
  },
  {
    what: 'key and R with a part of small order, the equation holds without the factor of eight',
    accepted: true,
    publicKey: hex('cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d'),
    message: hex('9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79'),
    signature: hex(
      '9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009',
    ),
  },
  {
    what: 'key and R with a part of small order, the equation holds only with the factor of eight',
    accepted: false,
    publicKey: hex('cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d'),
    message: hex('e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c'),
    signature: hex(
      '160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09',
    ),
  },
  {
    what: 'key with a part of small order, the equation holds only with the factor of eight',
    accepted: false,
    publicKey: hex('cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d'),
    message: hex('e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c'),
    signature: hex(
      '21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405',
    ),
  },
  {
    what: 'S above the order of the group',
    accepted: false,
    publicKey: hex('442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623'),
    message: hex('85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40'),
    signature: hex(
      'e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514',
    ),
  },
  {
    what: 'S far above the order of the group',
    accepted: false,
    publicKey: hex('442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623'),
    message: hex('85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40'),
    signature: hex(
      '8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22',
    ),
  },
  {
    what: 'R in a longer form, hashed in its shortest',
    accepted: false,
    publicKey: hex('f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43'),
    message: hex('fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a'),
    signature: hex(
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607',
    ),
  },
  {
    what: 'R in a longer form, hashed as it is',
    accepted: false,
    publicKey: hex('f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43'),
    message: hex('84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1'),
    signature: hex(
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09',
    ),
  },
] as const

/** Every encoding of the eight points whose order divides 8: the last six are not the shortest. */
export const SMALL_ORDER_POINTS = [
  hex(`01${'00'.repeat(31)}`),
  hex(`ec${'ff'.repeat(30)}7f`),
  hex(`00${'00'.repeat(31)}`),
  hex(`00${'00'.repeat(30)}80`),
  hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
  hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'),
  hex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'),
  hex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'),
  hex(`01${'00'.repeat(30)}80`),
  hex(`ec${'ff'.repeat(30)}ff`),
  hex(`ed${'ff'.repeat(30)}7f`),
  hex(`ed${'ff'.repeat(30)}ff`),
  hex(`ee${'ff'.repeat(30)}7f`),
  hex(`ee${'ff'.repeat(30)}ff`),
] as const

/** The base point of Ed25519 and S = 1: under a key of small order a signature of every few messages. */
export const FORGED_SIGNATURE = hex(`58${'66'.repeat(31)}01${'00'.repeat(31)}`)

/** RFC 7748 §5.2 (two inputs, and one round of the iteration), then both directions of §6.1. */
export const X25519 = [
  {
    secret: hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4'),
    publicKey: hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c'),
    shared: hex('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552'),
  },
  {
    secret: hex('4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d'),
    publicKey: hex('e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493'),
    shared: hex('95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957'),
  },
  {
    secret: hex(`09${'00'.repeat(31)}`),
    publicKey: hex(`09${'00'.repeat(31)}`),
    shared: hex('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079'),
  },
  {
    secret: hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
    publicKey: hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'),
    shared: hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'),
  },
  {
    secret: hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
    publicKey: hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'),
    shared: hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'),
  },
] as const

/** Every u whose result is zero: 0, 1, the two of order 8, −1, then 0 and 1 in a longer form. */
export const X25519_SMALL_ORDER = [
  hex('00'.repeat(32)),
  hex(`01${'00'.repeat(31)}`),
  hex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'),
  hex('5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157'),
  hex(`ec${'ff'.repeat(30)}7f`),
  hex(`ed${'ff'.repeat(30)}7f`),
  hex(`ee${'ff'.repeat(30)}7f`),
] as const

/** RFC 5869 appendix A.1 to A.3, and one with nothing in it, computed with OpenSSL. */
export const HKDF = [
  {
    secret: hex('0b'.repeat(22)),
    salt: hex('000102030405060708090a0b0c'),
    info: hex('f0f1f2f3f4f5f6f7f8f9'),
    derived: hex('3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865'),
  },
  {
    secret: hex(counting(0x00, 80)),
    salt: hex(counting(0x60, 80)),
    info: hex(counting(0xb0, 80)),
    derived: hex(
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
    ),
  },
  {
    secret: hex('0b'.repeat(22)),
    salt: hex(''),
    info: hex(''),
    derived: hex('8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8'),
  },
  {
    secret: hex(''),
    salt: hex(''),
    info: hex(''),
    derived: hex('eb70f01dede9afafa449eee1b1286504e1f62388b3f7dd4f956697b0e828fe18'),
  },
] as const

/** RFC 4231 §4, without the case that cuts its result, and one with nothing in it, computed with OpenSSL. */
export const HMAC = [
  {
    key: hex('0b'.repeat(20)),
    data: hex('4869205468657265'),
    mac: hex('b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'),
  },
  {
    key: hex('4a656665'),
    data: hex('7768617420646f2079612077616e7420666f72206e6f7468696e673f'),
    mac: hex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'),
  },
  {
    key: hex('aa'.repeat(20)),
    data: hex('dd'.repeat(50)),
    mac: hex('773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'),
  },
  {
    key: hex(counting(1, 25)),
    data: hex('cd'.repeat(50)),
    mac: hex('82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b'),
  },
  {
    key: hex('aa'.repeat(131)),
    data: hex(
      '54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374',
    ),
    mac: hex('60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54'),
  },
  {
    key: hex('aa'.repeat(131)),
    data: hex(
      '5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d73697a65206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565647320746f20626520686173686564206265666f7265206265696e6720757365642062792074686520484d414320616c676f726974686d2e',
    ),
    mac: hex('9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2'),
  },
  { key: hex(''), data: hex(''), mac: hex('b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad') },
] as const

/** FIPS 180-2 appendix B, and nothing. */
export const SHA256 = [
  { data: hex(''), hash: hex('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855') },
  { data: hex('616263'), hash: hex('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad') },
  {
    data: hex(
      '6162636462636465636465666465666765666768666768696768696a68696a6b696a6b6c6a6b6c6d6b6c6d6e6c6d6e6f6d6e6f706e6f7071',
    ),
    hash: hex('248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'),
  },
] as const

/** RFC 7914 §11, the first 32 bytes. */
export const PBKDF2 = [
  {
    secret: hex('706173737764'),
    salt: hex('73616c74'),
    rounds: 1,
    derived: hex('55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc'),
  },
  {
    secret: hex('50617373776f7264'),
    salt: hex('4e61436c'),
    rounds: 80_000,
    derived: hex('4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56'),
  },
] as const

const GCM_KEY = 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'
const GCM_PLAINTEXT =
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255'

/** McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 16. */
export const AES_256_GCM = [
  {
    key: hex('00'.repeat(32)),
    nonce: hex('00'.repeat(12)),
    additionalData: hex(''),
    plaintext: hex(''),
    sealed: hex('530f8afbc74536b9a963b4f1c4cb738b'),
  },
  {
    key: hex('00'.repeat(32)),
    nonce: hex('00'.repeat(12)),
    additionalData: hex(''),
    plaintext: hex('00'.repeat(16)),
    sealed: hex('cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919'),
  },
  {
    key: hex(GCM_KEY),
    nonce: hex('cafebabefacedbaddecaf888'),
    additionalData: hex(''),
    plaintext: hex(GCM_PLAINTEXT),
    sealed: hex(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6c',
    ),
  },
  {
    key: hex(GCM_KEY),
    nonce: hex('cafebabefacedbaddecaf888'),
    additionalData: hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
    plaintext: hex(GCM_PLAINTEXT.slice(0, 120)),
    sealed: hex(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
    ),
  },
] as const

/** RFC 9180 prints no answer for this suite: sealed with the `cryptography` package of Python to the second key of RFC 7748 §6.1. */
export const HPKE = {
  secret: hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
  publicKey: hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'),
  info: hex('4f6465206f6e2061204772656369616e2055726e'),
  plaintext: hex('4265617574792069732074727574682c20747275746820626561757479'),
  sealed: hex(
    '3ffbcd42a93df0c0ade383b637711ce212b849cefd88213a7ce3aeba85fcee6ceb4678d4e94c17e172ae3dad425eb5427157831db697d50c5ae5e04a4b1101d75294db5aa4f8052c2f41652e63',
  ),
} as const

function counting(from: number, length: number): string {
  return Array.from({ length }, (_, i) => (from + i).toString(16).padStart(2, '0')).join('')
}
