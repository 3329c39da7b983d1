"""One file a data set."""

from occkd_lib.data.dataset import DataSet
from occkd_lib.data.readers import affectnet, ferplus, folder, rafdb, synthetic, utkface

DATA_SETS: dict[str, DataSet] = {
    known.name: known
    for known in (
        synthetic.DATA_SET,
        ferplus.DATA_SET,
        utkface.DATA_SET,
        affectnet.DATA_SET,
        rafdb.DATA_SET,
        folder.DATA_SET,
    )
}
